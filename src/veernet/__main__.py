"""`python -m veernet`, which `torchrun -m veernet` starts too."""

from veernet.cli import main

main()
