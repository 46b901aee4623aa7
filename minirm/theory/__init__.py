"""The two theorems of arXiv 2507.07981, one file each: numbers in, numbers out, no training."""
