# A runner in plain R for lockgate's frames (docs/runner-protocol.md): no packages beyond base R.
#
# Frames come on standard input and go out on descriptor 3. What the model is stands in model.R beside this file:
# load_model(folder) and answer(model, frame), where `frame` is a data.frame and the answer a named list of vectors or
# matrices with a row each.

HELLO <- 1L; READY <- 2L; PREDICT <- 3L; ANSWER <- 4L; ERROR <- 5L
BOOL <- 0L; FP64 <- 8L; TEXT <- 10L
SIZES <- c(1, 1, 1, 2, 4, 8, 2, 4, 8)  # bytes of types 0 to 8

# A confined process starts no other, so no program can be found; package utils looks for one when it is loaded.
local({
  unlockBinding("Sys.which", baseenv())
  assign("Sys.which", function(names) structure(character(length(names)), names = names), baseenv())
})
library(stats)

frames_in <- file("stdin", "rb")
frames_out <- file("/proc/self/fd/3", "wb")

take <- function(size) {
  got <- raw(0)
  while (length(got) < size) {
    more <- readBin(frames_in, "raw", size - length(got))
    if (length(more) == 0) quit("no", 0)  # the other end closed
    got <- c(got, more)
  }
  got
}

number <- function(bytes) sum(as.integer(bytes) * 256^(seq_along(bytes) - 1))  # little-endian, exact up to 2^53
bytes_of <- function(value, size) as.raw((value %/% 256^(seq_len(size) - 1)) %% 256)
padding <- function(size) raw((-size) %% 8)

receive <- function() {
  head <- take(16)
  list(kind = as.integer(head[1]), request = head[5:8], body = take(number(head[9:16])))
}

send <- function(kind, request, body) {
  writeBin(c(as.raw(c(kind, 0, 0, 0)), request, bytes_of(length(body), 8), body), frames_out)
  flush(frames_out)
}

quoted <- function(text) {
  text <- gsub("\\", "\\\\", enc2utf8(text), fixed = TRUE)
  text <- gsub("\"", "\\\"", text, fixed = TRUE)
  paste0("\"", gsub("[[:cntrl:]]", " ", text), "\"")
}

json <- function(values) charToRaw(paste0("{", paste0(quoted(names(values)), ": ", values, collapse = ", "), "}"))

# A body of columns as a list of vectors, by name.
columns_of <- function(body) {
  place <- 8; columns <- list()
  for (block in seq_len(number(body[1:4]))) {
    type <- as.integer(body[place + 1]); dimensions <- as.integer(body[place + 2])
    if (dimensions > 0) stop("this runner takes columns of single values")
    count <- number(body[place + 3:4]); rows <- number(body[place + 5:8]); names_size <- number(body[place + 9:12])
    place <- place + 12
    end <- place + names_size; names <- character(0)
    while (place < end) {
      size <- number(body[place + 1:2])
      names <- c(names, rawToChar(body[place + 2 + seq_len(size)]))
      place <- place + 2 + size
    }
    place <- place + (-place) %% 8
    read <- if (type == TEXT) texts(body, place, count * rows) else numbers(body, place, count * rows, type)
    place <- read$place + (-read$place) %% 8
    Encoding(names) <- "UTF-8"
    for (column in seq_len(count)) columns[[names[column]]] <- read$values[(column - 1) * rows + seq_len(rows)]
  }
  columns
}

numbers <- function(body, place, count, type) {
  size <- SIZES[type + 1]
  raw <- body[place + seq_len(count * size)]
  values <- switch(as.character(type),
    "0" = raw != as.raw(0),
    "1" = as.integer(raw),
    "2" = readBin(raw, "integer", count, 1L),
    "3" = readBin(raw, "integer", count, 2L, endian = "little"),
    "4" = readBin(raw, "integer", count, 4L, endian = "little"),
    "5" = whole(raw, count),
    "7" = readBin(raw, "double", count, 4L, endian = "little"),
    "8" = readBin(raw, "double", count, 8L, endian = "little"),
    stop("this runner does not know type ", type))
  if (is.double(values)) values[is.nan(values)] <- NA_real_  # a missing number is NaN on the wire
  list(values = values, place = place + count * size)
}

# INT64 as doubles: R has no such integers.
whole <- function(raw, count) {
  halves <- matrix(readBin(raw, "integer", 2 * count, 4L, endian = "little"), nrow = 2)
  low <- ifelse(is.na(halves[1, ]), 2^31, ifelse(halves[1, ] < 0, halves[1, ] + 2^32, halves[1, ]))
  high <- ifelse(is.na(halves[2, ]), -2^31, halves[2, ])
  high * 2^32 + low
}

texts <- function(body, place, count) {
  values <- rep(NA_character_, count); at <- place + 4 * count
  for (one in seq_len(count)) {
    length <- body[place + 4 * (one - 1) + 1:4]
    if (all(length == as.raw(255))) next
    size <- number(length)
    values[one] <- rawToChar(body[at + seq_len(size)])
    at <- at + size
  }
  Encoding(values) <- "UTF-8"
  list(values = values, place = at)
}

# A named list of vectors, or of matrices with a row each, as a body of columns.
body_of <- function(columns) {
  body <- c(bytes_of(length(columns), 4), raw(4))
  for (name in names(columns)) {
    values <- columns[[name]]; label <- charToRaw(enc2utf8(name))
    wide <- is.matrix(values)
    type <- if (is.character(values)) TEXT else if (is.logical(values)) BOOL else FP64
    rows <- if (wide) nrow(values) else length(values)
    head <- c(as.raw(c(type, as.integer(wide))), bytes_of(1, 2), bytes_of(rows, 4), bytes_of(length(label) + 2, 4))
    head <- c(head, if (wide) bytes_of(ncol(values), 4), bytes_of(length(label), 2), label)
    if (wide) values <- as.vector(t(values))
    data <- if (type == TEXT) text_bytes(values)
      else if (type == BOOL) as.raw(values)
      else writeBin(as.double(values), raw(), 8L, endian = "little")
    body <- c(body, head, padding(length(head)), data, padding(length(data)))
  }
  body
}

text_bytes <- function(values) {
  parts <- lapply(enc2utf8(values), function(value) if (is.na(value)) NULL else charToRaw(value))
  lengths <- lapply(parts, function(part) if (is.null(part)) as.raw(rep(255, 4)) else bytes_of(length(part), 4))
  c(do.call(c, lengths), do.call(c, parts))
}

refusal <- function(error, where) json(c(
  type = quoted(class(error)[1]), message = quoted(conditionMessage(error)), where = quoted(where), trace = "[]"))

reply <- function(model, frame) {
  if (frame$kind != PREDICT) return(list(ERROR, refusal(simpleError("it only predicts"), "protocol")))
  tryCatch(
    list(ANSWER, body_of(answer(model, as.data.frame(columns_of(frame$body), stringsAsFactors = FALSE, optional = TRUE)))),
    error = function(error) list(ERROR, refusal(error, "model")))
}

began <- proc.time()[["elapsed"]]
hello <- receive()
folder <- Sys.getenv("LOCKGATE_MODEL")
model <- tryCatch({
  source(file.path(folder, "model.R"))
  load_model(folder)
}, error = function(error) {
  send(ERROR, hello$request, refusal(error, "load"))
  quit("no", 0)
})
send(READY, hello$request, json(c(
  protocol = "1", runner = quoted("r"), pid = as.character(Sys.getpid()), framework = quoted("command"),
  framework_version = quoted(paste("R", getRversion())), load_s = format(proc.time()[["elapsed"]] - began))))
repeat {
  frame <- receive()
  said <- reply(model, frame)
  send(said[[1]], frame$request, said[[2]])
}
