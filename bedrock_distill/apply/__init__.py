"""Doing what a plan says, once, however often it is asked: the executor, and the journal of what was done."""

from bedrock_distill.apply.executor import ApplyEvent, Executor
from bedrock_distill.apply.journal import Journal, JournalEntry, replacements

__all__ = ["ApplyEvent", "Executor", "Journal", "JournalEntry", "replacements"]
