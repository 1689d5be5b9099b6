"""Contact maps: readers of every format, one sparse balanced form, equation 1."""

from .map import ContactMap, StoredMap, band_to_square, write_cool
from .probability import contact_probability, contacts_from_probability

__all__ = ["ContactMap", "StoredMap", "band_to_square", "contact_probability", "contacts_from_probability", "write_cool"]
