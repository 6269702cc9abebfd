"""Speaks OKX's REST API (V5): spot, and perpetual swaps."""
