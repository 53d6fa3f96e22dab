"""The graph that runs on a phone: weights rewritten for XNNPACK."""
