"""Process model: CHO cells in fed-batch culture."""
