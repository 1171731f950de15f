"""The project file of the demo. Stages are shorter than the defaults, by the plan's own public fields."""

PROJECT = """\
models:
  bike-hire:
    task: regression
    owner: operations
    tier: low                # no second person: the policy approves, on record
    description: rentals in the next hour, from weather and calendar
    target: cnt
    time: at
    goal: {metric: mae, at_most: 120, requests_per_day: 5000}
    checks:
      performance: {metric: mae}
    release:
      shadow_requests: 150
      shadow_min_s: 2
      canary: [10%, 50%]
      stage_min_s: 4
      stage_requests: 60
      watch_s: 4
  car-loan:
    task: classification
    owner: credit
    tier: medium             # one approval by someone who did not build it
    description: will the loan be repaid
    target: repaid
    positive: 1
    time: timestamp
    key: id
    goal: {metric: roc_auc, at_least: 0.9}
    release:
      stage_min_s: 2
      stage_requests: 50
      watch_s: 3
"""
