"""The laws that every history must obey, by what they are about; `checker` holds a history to all of them."""
