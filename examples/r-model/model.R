# The model: logistic regression of high ozone, with months as a factor and measurements that may be missing.

load_model <- function(folder) readRDS(file.path(folder, "model.rds"))

answer <- function(model, frame) {
  known <- frame$month %in% model$xlevels$month
  frame$month[!known] <- model$xlevels$month[1]         # a month never seen counts as the first
  frame$solar[is.na(frame$solar)] <- model$usual_solar  # a missing measurement as the usual one
  share <- unname(predict(model, frame, type = "response"))
  list(prediction = ifelse(share >= 0.5, "high", "low"), probability = cbind(1 - share, share))
}
