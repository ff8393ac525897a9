"""What all four packages need: contracts, storage and the stage protocol."""
