"""`python -m app` is `jawel`."""

from app.cli import main

main(prog_name="jawel")
