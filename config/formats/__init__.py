"""How dates are written where Django's own choice would mislead: its English is American, our readers are European."""
