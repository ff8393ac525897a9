"""Use cases of the tests, found by path or through GOLDLAKE_USECASES; nothing imports them."""
