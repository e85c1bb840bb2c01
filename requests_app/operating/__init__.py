"""Operators' commands on people's data (DESIGN §7)."""
