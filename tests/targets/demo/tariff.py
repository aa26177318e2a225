"""What it costs to send a parcel."""

STEPS = ((1, 250), (5, 490), (20, 950))


def price(weight):
    """The postage in cents for a weight in kilograms."""
    for limit, cents in STEPS:
        if weight <= limit:
            return cents
    raise ValueError(f"too heavy: {weight} kg")  # miss
