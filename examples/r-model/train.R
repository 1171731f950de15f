# Rscript train.R: fits the model on R's own measurements of New York's air (1973) and writes model.rds, train.csv, test.csv.

days <- subset(airquality, !is.na(Ozone))
table <- data.frame(
  solar = as.numeric(days$Solar.R), wind = days$Wind, temperature = days$Temp,
  month = month.name[days$Month], ozone = ifelse(days$Ozone > 31, "high", "low"))
even <- days$Day %% 2 == 0
train <- table[!even, ]
model <- glm(I(ozone == "high") ~ solar + wind + temperature + month, binomial, train)
model$usual_solar <- median(train$solar, na.rm = TRUE)
saveRDS(model, "model.rds", version = 3)
write.csv(train, "train.csv", row.names = FALSE, na = "")
write.csv(table[even, ], "test.csv", row.names = FALSE, na = "")
