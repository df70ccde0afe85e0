"""What an operation notes of the actions that it takes, for the ledger to work out; see :mod:`hwsim.engine.ledger`."""

import numpy as np


cdef class Bill:
    """Rows that one unit of work always makes, such as all parts of a tile in one read.

    ``number`` is what the ledger keeps of it, ``energy`` that of all its actions, J. Bills have a multiplicity: durations, counts
    and energies of n units of work are n times those of one, and all start at the same time.
    """

    def __init__(self, int64_t number, double energy):
        self.number = number
        self.energy = energy


cdef class Origin:
    """Why an action happens: the ledger's key of operation, phase and layer; step and first sample of the stream."""

    def __init__(self, int64_t key, int64_t step, int64_t sample):
        self.key = key
        self.step = step
        self.sample = sample


cdef class Notes:
    """What the ledger notes until it works out the rows: the number of a bill (or the inverse of an action), the origin, the
    start, and how often; of rows without a bill also count and energy. ``energy`` is that of everything so far, J."""

    def __len__(self):
        return self.what.size()

    cdef void _note(self, int64_t what, Origin origin, int64_t start, int64_t times) except *:
        self.what.push_back(what)
        self.key.push_back(origin.key)
        self.step.push_back(origin.step)
        self.sample.push_back(origin.sample)
        self.start.push_back(start)
        self.times.push_back(times)

    cpdef void post(self, Origin origin, Bill bill, int64_t start, int64_t times=1) except *:
        """Note ``times`` units of work that start at ``start``, ps."""
        self.energy += bill.energy * times
        self._note(bill.number, origin, start, times)

    cpdef void book(self, Origin origin, int64_t action, int64_t start, int64_t duration, int64_t count, double energy) except *:
        """Note ``count`` actions without a bill: their key, start and duration in ps, energy in J (of all of them)."""
        self.energy += energy
        self._note(~action, origin, start, duration)
        self.counts.push_back(count)
        self.energies.push_back(energy)

    def columns(self):
        """Return the notes as (what, key, step, sample, start, times), and count and energy of those without a bill."""
        notes = [array_of(self.what), array_of(self.key), array_of(self.step), array_of(self.sample), array_of(self.start), array_of(self.times)]
        energies = np.empty(self.energies.size())
        cdef double[::1] view = energies
        cdef size_t i
        for i in range(self.energies.size()):
            view[i] = self.energies[i]
        return notes, array_of(self.counts), energies

    def restore(self, notes, counts, energies, double energy):
        """Take over what :meth:`columns` returned, and the energy at that time."""
        self.clear()
        what, key, step, sample, start, times = notes
        append(self.what, what)
        append(self.key, key)
        append(self.step, step)
        append(self.sample, sample)
        append(self.start, start)
        append(self.times, times)
        append(self.counts, counts)
        cdef double value
        for value in energies:
            self.energies.push_back(value)
        self.energy = energy

    def clear(self):
        """Forget the notes."""
        self.what.clear()
        self.key.clear()
        self.step.clear()
        self.sample.clear()
        self.start.clear()
        self.times.clear()
        self.counts.clear()
        self.energies.clear()


cdef void append(vector[int64_t] &values, more) except *:
    cdef int64_t value
    for value in more:
        values.push_back(value)


cdef array_of(vector[int64_t] &values):
    out = np.empty(values.size(), np.int64)
    cdef int64_t[::1] view = out
    cdef size_t i
    for i in range(values.size()):
        view[i] = values[i]
    return out
