"""Figures every stage saves, and the one HTML page that collects them."""
