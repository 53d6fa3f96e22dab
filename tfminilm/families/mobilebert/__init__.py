"""MobileBERT and its teacher, IB-BERT."""
