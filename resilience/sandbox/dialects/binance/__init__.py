"""Speaks Binance's REST API: spot, and USD-M futures."""
