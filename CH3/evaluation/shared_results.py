"""One file of results for all processes of an evaluation, of which any may be killed at any moment.

- rank 0 writes the file itself; every other process writes a part of its own beside it, on its own
  machine, so that a result is on disk the moment it is there, whatever becomes of the network and
  of rank 0
- at the end rank 0 gathers the parts into the file, and they are deleted; parts that a killed run
  left behind are gathered by the next one when it begins
- machines need no common file system, and rank 0 may be on another one next time, which then
  gathers the old file as well; if a machine never comes back, the results on it are made again
"""

from glob import escape
from pathlib import Path

import torch.distributed as dist

from CH3.evaluation.results import ResultsFile, read_results
from CH3.evaluation.workers import Workers


class SharedResults:
    """The results of all processes, which must all open, gather and close them at the same points.

    Args:
        path: of the file.
        settings, unique_ids: as in `ResultsFile`.
        workers: the processes.

    Attributes:
        earlier: results of earlier runs, by `unique_id`, the same for all processes.

    Raises:
        ResultsFileError: as in `ResultsFile`.
    """

    def __init__(self, path: str | Path, settings: dict, unique_ids: list[str], workers: Workers):
        self.path, self.settings, self.unique_ids, self.workers = (
            Path(path),
            settings,
            unique_ids,
            workers,
        )
        self._file = ResultsFile(path, settings, unique_ids) if workers.leads else None
        try:
            self.earlier = self._gather_leftovers()
            if not workers.leads:
                self._file = ResultsFile(self._part(workers.rank), settings, unique_ids)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "SharedResults":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the writing; what this process wrote stays where it is."""
        if self._file is not None:
            self._file.close()

    def append(self, result: dict) -> None:
        """Write one result of this process; see `ResultsFile.append`."""
        self._own_file.append(result)

    @property
    def _own_file(self) -> ResultsFile:
        if self._file is None:
            raise ValueError(
                f"{self.path} is not open: other processes' results are still being gathered"
            )
        return self._file

    def gather(self) -> dict[str, dict]:
        """The results of all processes, by `unique_id`, which are now in the file; the end of this
        process's part.
        """
        results = self._into_file({} if self.workers.leads else self._own_file.results)
        if not self.workers.leads:
            self._own_file.close()  # Windows deletes no open file
            self._own_file.path.unlink(missing_ok=True)
        return results

    def _gather_leftovers(self) -> dict[str, dict]:
        """Put the parts of an earlier run into the file: one process on each machine knows what
        lies there.
        """
        parts: list[Path] = []
        left: dict[str, dict] = {}
        if self.workers.local_rank == 0:
            parts = sorted(self.path.parent.glob(f"{escape(self.path.name)}.rank[0-9]*"))
            # this machine, last time
            was_rank_0 = [self.path] if self.path.exists() and not self.workers.leads else []
            for part in [*was_rank_0, *parts]:
                left |= read_results(part, self.settings, self.unique_ids)
        results = self._into_file(left)
        for part in parts:
            part.unlink(missing_ok=True)  # machines that share a file system find the same parts
        if self.workers.size > 1:
            dist.barrier()  # nobody begins a new part before the old ones are gone
        return results

    def _into_file(self, results: dict[str, dict]) -> dict[str, dict]:
        """Append what the processes have to rank 0's file, each problem once; give everybody what
        is in it.
        """
        for some in self.workers.gather(results):
            for unique_id, result in some.items():
                if unique_id not in self._own_file.results:
                    self._own_file.append(result)
        return self.workers.broadcast(self._own_file.results if self.workers.leads else None)

    def _part(self, rank: int) -> Path:
        return self.path.with_name(f"{self.path.name}.rank{rank}")
