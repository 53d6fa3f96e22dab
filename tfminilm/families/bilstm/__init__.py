"""Distilled BiLSTM: two recurrent layers, no attention."""
