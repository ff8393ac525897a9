"""The API of data.police.uk, played back."""
