"""Implements what attempts of many calls share: retry schedule, budget, breaker, quota, admission, hedge, fallback."""
