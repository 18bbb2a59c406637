"""Moved into the package, where `millstream chaos --without` uses them too."""

from millstream.local.chaos.mutants import MUTATIONS, SOURCE, mutant

__all__ = ["MUTATIONS", "SOURCE", "mutant"]
