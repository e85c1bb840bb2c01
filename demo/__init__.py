"""A made-up hosting company to try Insyn on. Installed in demo mode only; nothing here exists elsewhere."""
