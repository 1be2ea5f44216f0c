"""What a stage left out, told alike by all of them: never silently, and by how often for which reason."""

from __future__ import annotations

from collections import Counter


class LeavesOut:
    """What is made of records, of which not every one can be learnt from; `left_out` counts the rest."""

    left_out: Counter[str]

    def told(self) -> str:
        """What was left out, in a line for a person; "" when nothing was."""
        reasons = [f"{count:,} {reason}" for reason, count in self.left_out.most_common()]
        return f"left out: {', '.join(reasons)}" if reasons else ""
