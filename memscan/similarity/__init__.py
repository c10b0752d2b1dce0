"""All targets with all sources by a learned detector: scores, classes, and where images agree."""
