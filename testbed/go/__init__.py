"""Real components that are Go programs, pinned: a folder each, and what builds them.

A folder has a ``go.mod`` with the versions, a ``go.sum`` with the hashes of all that is downloaded,
and a ``main.go`` of a few lines that calls the project's own command package. Nothing of this is
built in the set-up; :mod:`testbed.go.build` does it when it is wanted.
"""
