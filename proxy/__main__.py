"""`python -m proxy`"""

from .cli.serve import command

if __name__ == "__main__":
    command(prog_name="python -m proxy")
