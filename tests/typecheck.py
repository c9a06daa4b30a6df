"""The checker behind `--jaxtyping-packages`: an int is a float here, as in PEP 484."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
