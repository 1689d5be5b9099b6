"""Hi-C-LSTM: representations of every genomic bin learned from contact maps, and what they can answer.

Coordinates are 0-based and half-open everywhere; a *bin* is a window of ``resolution`` base pairs.
"""

__version__ = "0.1.0"
