"""Speaks Bybit's REST API (V5): spot, and linear perpetuals."""
