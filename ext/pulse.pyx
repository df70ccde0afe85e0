"""Pulsed updates of an array of devices: trains, coincidences, one device step per coincidence."""

import numpy as np
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libc.string cimport memcpy


LAWS = {"constant": 0, "affine": 1, "additive": 2, "exponential": 3, "power": 4, "exponential_response": 5, "piecewise": 6, "table": 7}
"""Kernel laws by name."""

SCHEMES = {"stochastic_compressed": (0, False), "stochastic": (0, True), "mean_count": (1, False), "deterministic_implicit": (2, False)}
"""Pulse schemes by name: what a train holds, and whether columns of either sign have a pass of their own."""

SIDES = {"both": 0, "up": 1, "down": 2}
"""Which coincidences pulse a device: all, or those of one direction, each as an up pulse."""

PLANES = {"constant": 4, "affine": 6, "additive": 8, "exponential": 6, "power": 8, "exponential_response": 8, "piecewise": 5}
"""Parameter planes per device of each kernel law; ``table`` has three for each of its nodes."""


cdef _check_form(str law, int64_t planes, const float[::1] scalars):
    if law == "table":
        nodes = scalars[1]
        if nodes < 2 or planes != 3 * nodes:
            raise ValueError("a table has at least two nodes and three planes for each")
    elif planes != PLANES[law]:
        raise ValueError("wrong number of parameter planes")
    if law == "piecewise" and (scalars[1] < 1 or scalars.shape[0] != 2 + 2 * <int64_t>scalars[1]):
        raise ValueError("a piecewise law has two values for each node")


def plan(const float[:, ::1] x, const float[:, ::1] d, const double[::1] rates, double granularity, int32_t desired_bl, cbool fixed_bl,
         cbool update_management, cbool update_bl_management, double grad_scale, int32_t longest):
    """Return (status, sample, bl, col_gain, row_gain) of the samples ``x`` (n, cols), ``d`` (n, rows).

    ``rates`` are the magnitudes of the learning rates, (n,), or (1,) for all samples. Status 0 is success, 1 or 2 a number in
    ``x`` or ``d`` that is not finite, 3 a train of more than ``longest`` slots, first at ``sample``.
    """
    cdef int64_t n = x.shape[0], sample = 0
    cdef PlanRules rules
    cdef int status = 0
    if d.shape[0] != n or (rates.shape[0] != 1 and rates.shape[0] != n):
        raise ValueError("one d, and one learning rate or as many, per sample")
    bl = np.zeros(n, np.int32)
    col_gain = np.zeros(n)
    row_gain = np.zeros(n)
    cdef int32_t[::1] bl_view = bl
    cdef double[::1] col_view = col_gain, row_view = row_gain
    rules.granularity = granularity
    rules.grad_scale = grad_scale
    rules.desired_bl = desired_bl
    rules.fixed_bl = fixed_bl
    rules.update_management = update_management
    rules.update_bl_management = update_bl_management
    if n and x.shape[1] and d.shape[1]:
        with nogil:
            status = plan_samples(rules, &rates[0], 1 if rates.shape[0] > 1 else 0, &x[0, 0], &d[0, 0], n, x.shape[1], d.shape[1], longest,
                                  &sample, &bl_view[0], &col_view[0], &row_view[0])
    return status, sample, bl, col_gain, row_gain


cdef _aligned_zeros(tuple shape):
    """Float32 zeros that begin at a cache line, so that a device's parameters lie in one."""
    cdef int64_t size = int(np.prod(shape))
    room = np.zeros(size + 16, np.float32)
    first = -(room.ctypes.data // 4) % 16
    return room[first:first + size].reshape(shape)


ctypedef fused Element:
    int8_t
    int32_t
    int64_t
    float


cdef _array(const Buffer[Element] &values, dtype):
    cdef Element[::1] view
    array = np.empty(values.size(), dtype)
    if values.size():
        view = array
        memcpy(&view[0], values.data(), values.size() * sizeof(Element))
    return array


cdef tuple _log_arrays(const PulseLog &log):
    """(t_ps, sample, slot, row, col, polarity, dw, w); ``t_ps`` is None without a clock."""
    cdef size_t n = log.size()
    cdef LogColumns to
    cdef int64_t[::1] t_view, sample_view
    cdef int32_t[::1] slot_view, row_view, col_view
    cdef int8_t[::1] polarity_view
    cdef float[::1] dw_view, w_view
    t = np.empty(n, np.int64) if log.has_times() or not n else None
    sample, slot, row, col = np.empty(n, np.int64), np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    polarity, dw, w = np.empty(n, np.int8), np.empty(n, np.float32), np.empty(n, np.float32)
    if n:
        sample_view, slot_view, row_view, col_view = sample, slot, row, col
        polarity_view, dw_view, w_view = polarity, dw, w
        to.t = NULL
        if t is not None:
            t_view = t
            to.t = &t_view[0]
        to.sample = &sample_view[0]
        to.slot = &slot_view[0]
        to.row = &row_view[0]
        to.col = &col_view[0]
        to.polarity = &polarity_view[0]
        to.dw = &dw_view[0]
        to.w = &w_view[0]
        with nogil:
            log.write(to)
    return t, sample, slot, row, col, polarity, dw, w


cdef tuple _line_arrays(const LineLog &log):
    """(sample, slot, column, line, sign)"""
    return (_array(log.sample, np.int64), _array(log.slot, np.int32), _array(log.column, np.int8).view(bool),
            _array(log.line, np.int32), _array(log.sign, np.int8))


cdef class PulsedCells:
    """The devices of one array: weights, parameters and the positions of their random streams.

    ``weight`` and ``apparent`` are (rows, stride) float32 with ``stride`` a multiple of 32 and ``cols`` of them in use;
    ``apparent`` is None without write noise. ``params`` is (rows, planes, stride); after a change to it
    call ``parameters_changed``. ``scalars`` are the shared parameters of the law. ``positions`` is (2, rows) uint64: the normals that each row has used for pulses and for write noise.
    ``pulse_counts`` (2, rows, stride) uint32 counts the up and down pulses of each device; None: nothing is counted.
    """

    cdef Cells cells
    cdef Updater updater
    cdef object keep, by_device
    cdef readonly object weight, apparent, positions
    cdef uint64_t key_train, key_rounding

    def __init__(self, str law, int64_t cols, float[:, ::1] weight, float[:, ::1] apparent, const float[:, :, ::1] params,
                 const float[::1] scalars, float write_noise, uint64_t[:, ::1] positions, dict keys,
                 uint32_t[:, :, ::1] pulse_counts=None):
        if weight.shape[1] % 32 or cols > weight.shape[1] or params.shape[0] != weight.shape[0] or params.shape[2] != weight.shape[1]:
            raise ValueError("weights and parameters must be padded to a multiple of 32 columns")
        _check_form(law, params.shape[1], scalars)
        if positions.shape[0] != 2 or positions.shape[1] != weight.shape[0]:
            raise ValueError("wrong number of stream positions")
        if pulse_counts is not None and (
                pulse_counts.shape[0] != 2 or pulse_counts.shape[1] != weight.shape[0] or pulse_counts.shape[2] != weight.shape[1]):
            raise ValueError("pulse counts must be (2, rows, stride)")
        if apparent is not None and (apparent.shape[0] != weight.shape[0] or apparent.shape[1] != weight.shape[1]):
            raise ValueError("apparent weights must have the shape of the weights")
        self.keep = (weight, apparent, params, scalars, positions, pulse_counts)
        self.weight = np.asarray(weight)
        self.apparent = None if apparent is None else np.asarray(apparent)
        self.positions = np.asarray(positions)
        self.cells.rows = weight.shape[0]
        self.cells.cols = cols
        self.cells.stride = weight.shape[1]
        self.cells.law = <LawId><int>LAWS[law]
        self.cells.weight = &weight[0, 0]
        if apparent is not None:
            self.cells.apparent = &apparent[0, 0]
        self.cells.params = &params[0, 0, 0]
        self.by_device = None
        if law in PLANES:
            self.cells.pitch = 4 if PLANES[law] <= 4 else 8
            self._lay_out()
        self.cells.scalars = &scalars[0]
        self.cells.write_noise = write_noise
        self.cells.key_pulse = keys["pulse"]
        self.cells.key_write = keys["write"]
        self.cells.key_log = keys["log"]
        self.cells.pulse_position = &positions[0, 0]
        self.cells.write_position = &positions[1, 0]
        if pulse_counts is not None:
            self.cells.pulse_counts = &pulse_counts[0, 0, 0]
        self.key_train = keys["train"]
        self.key_rounding = keys["rounding"]

    cdef _lay_out(self):
        """Allocate the parameters of each device side by side and fill them."""
        cdef float[:, :, ::1] view
        self.by_device = _aligned_zeros((self.cells.rows, self.cells.stride, self.cells.pitch))
        view = self.by_device
        self.cells.device_params = &view[0, 0, 0]
        self.parameters_changed()

    def parameters_changed(self):
        """Take over new values in ``params``."""
        if self.by_device is not None:
            params = np.asarray(self.keep[2])
            self.by_device[:, :, :params.shape[1]] = params.transpose(0, 2, 1)

    cdef void _set_probe(self, Probe *to, tuple probe):
        to.row_begin = to.row_end = to.col_begin = to.col_end = 0
        if probe is not None:
            to.row_begin, to.row_end, to.col_begin, to.col_end = probe

    cdef _set_scheme(self, UpdateInput *job, cbool negative_rate, str scheme, tuple resolution, cbool stochastic_rounding, str side):
        """Say how lines draw their trains, and which coincidences pulse a device."""
        kind, job.two_passes = SCHEMES[scheme]
        job.negative_rate = negative_rate
        job.side = <Side><int>SIDES[side]
        job.x_side.key = job.d_side.key = self.key_train
        job.x_side.key_rounding = self.key_rounding
        job.d_side.key_rounding = self.key_rounding ^ 1
        job.x_side.index = 0
        job.d_side.index = 1
        job.x_side.resolution, job.d_side.resolution = resolution
        job.x_side.stochastic_rounding = job.d_side.stochastic_rounding = stochastic_rounding
        job.x_side.kind = job.d_side.kind = <TrainKind><int>kind

    def update(self, const float[:, ::1] x, const float[:, ::1] d, const int32_t[::1] bl, const double[::1] col_gain,
               const double[::1] row_gain, cbool negative_rate, str scheme, tuple resolution, cbool stochastic_rounding,
               uint64_t first_ordinal, tuple probe, int threads, str side="both", tuple clock=None, const int32_t[::1] columns=None):
        """Apply the samples ``x`` (n, cols), ``d`` (n, rows) in order.

        ``scheme`` is one of ``SCHEMES``, ``resolution`` that of the pulse probabilities of columns and rows, ``side`` one of
        ``SIDES``.

        Returns (up, down, weight, row_fires, col_fires, log, lines, totals, watched): per sample the pulses of each direction and the sum of
        the weights before the pulses, per sample and line the firings, and the columns of the pulse log of ``probe``, a tuple
        (row_begin, row_end, col_begin, col_end), or None. The log is in order of sample, phase, slot, row and column; ``clock``
        (starts, slot, phases) says when: sample k starts at ``starts[k]`` ps and takes one or two phases of slots of ``slot`` ps,
        of two phases the first for up pulses. Without it there is one phase, and no time. ``lines`` are the firings of the rows and
        columns of ``probe``, in order of sample, slot, side (rows first) and line: (sample, slot, column or row, line, sign of the value
        on it, of rows turned round by a negative learning rate); None also where ``scheme`` has no random trains. ``totals`` are the
        sums of the first five over samples and lines. With ``columns`` (n,) ``watched`` holds the weights of column ``columns[k]`` after
        sample k, as a read sees them, (n, rows), zeros where that is -1, and sum_ij (r_i + c_j) w_ij with the firings r and c of sample k and the weights before
        it, (n,); else it is None.
        """
        cdef int64_t n = x.shape[0], i, ups = 0, downs = 0, on_rows = 0, on_cols = 0
        cdef double passed = 0
        cdef UpdateInput job
        cdef UpdateOutput out
        cdef LogRoom *room = &LogRoom.of_this_thread()
        room.clear()
        if x.shape[1] != self.cells.cols or d.shape[1] != self.cells.rows or d.shape[0] != n:
            raise ValueError("x must be (n, cols) and d (n, rows)")
        if bl.shape[0] != n or col_gain.shape[0] != n or row_gain.shape[0] != n:
            raise ValueError("one bit length and one pair of gains per sample")
        up = np.zeros(n, np.int64)
        down = np.zeros(n, np.int64)
        weight = np.zeros(n)
        row_fires = np.zeros((n, self.cells.rows), np.uint32)
        col_fires = np.zeros((n, self.cells.cols), np.uint32)
        watched = None
        cdef int64_t[::1] up_view = up, down_view = down
        cdef double[::1] weight_view = weight, lines_view
        cdef float[:, ::1] read_view
        cdef const int64_t[::1] starts
        cdef uint32_t[:, ::1] row_view = row_fires, col_view = col_fires
        if columns is not None:
            if columns.shape[0] != n:
                raise ValueError("one column is read after each sample")
            for i in range(n):
                if not -1 <= columns[i] < self.cells.cols:
                    raise ValueError("no such column")
            watched = np.zeros((n, self.cells.rows), np.float32), np.zeros(n)
            read_view, lines_view = watched
        if n:
            job.x = &x[0, 0]
            job.d = &d[0, 0]
            job.n = n
            job.bl = &bl[0]
            job.col_gain = &col_gain[0]
            job.row_gain = &row_gain[0]
            self._set_scheme(&job, negative_rate, scheme, resolution, stochastic_rounding, side)
            job.first_ordinal = first_ordinal
            self._set_probe(&job.probe, probe)
            if probe is not None:
                out.log = &room.log
                out.lines = &room.lines
            if clock is not None:
                starts = clock[0]
                if starts.shape[0] != n or clock[2] not in (1, 2):
                    raise ValueError("a clock has one start a sample, and one or two phases")
                job.clock.starts = &starts[0]
                job.clock.slot = clock[1]
                job.clock.phases = clock[2]
            job.threads = threads
            out.up = &up_view[0]
            out.down = &down_view[0]
            out.weight = &weight_view[0]
            out.row_fires = &row_view[0, 0]
            out.col_fires = &col_view[0, 0]
            if columns is not None:
                job.column = &columns[0]
                out.read = &read_view[0, 0]
                out.on_lines = &lines_view[0]
            with nogil:
                self.updater.run(self.cells, job, &out)
                for i in range(n):
                    ups += out.up[i]
                    downs += out.down[i]
                    passed += out.weight[i]
                for i in range(n * self.cells.rows):
                    on_rows += out.row_fires[i]
                for i in range(n * self.cells.cols):
                    on_cols += out.col_fires[i]
        log = lines = None
        if probe is not None:
            log = _log_arrays(room.log)
            lines = _line_arrays(room.lines) if SCHEMES[scheme][0] == <int>TrainKind.random else None
            room.clear()
        return up, down, weight, row_fires, col_fires, log, lines, (ups, downs, passed, on_rows, on_cols), watched

    def write_columns(self, const int32_t[::1] columns, const float[:, ::1] d, const int32_t[::1] bl, const double[::1] col_gain,
                      const double[::1] row_gain, cbool negative_rate, str scheme, tuple resolution, cbool stochastic_rounding,
                      uint64_t first_ordinal, int threads, double[::1] row_sums, double[::1] col_sums):
        """Apply samples with the one-hot vector of ``columns`` (n,) as x, and ``d`` (n, rows), in order.

        ``row_sums`` (rows,) and ``col_sums`` (cols,) are the sums of the weights, as a read sees them; they follow the pulses.

        Returns (up, down, weight, row_fires, col_fires, on_lines) of each sample: as :meth:`update` returns them, but for the
        firings, which are those of all rows, and of its column.
        """
        cdef int64_t n = columns.shape[0], k, row, rows = self.cells.rows, stride = self.cells.stride, col
        cdef UpdateInput job
        cdef UpdateOutput out
        cdef double change
        cdef float *seen = self.cells.weight if self.cells.apparent == NULL else self.cells.apparent
        if d.shape[0] != n or d.shape[1] != rows or bl.shape[0] != n or col_gain.shape[0] != n or row_gain.shape[0] != n:
            raise ValueError("one d, one bit length and one pair of gains per sample")
        if row_sums.shape[0] != rows or col_sums.shape[0] != self.cells.cols:
            raise ValueError("one sum for each row and column")
        found = (np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n))
        cdef int64_t[::1] up = found[0], down = found[1], row_fires = found[3], col_fires = found[4]
        cdef double[::1] weight = found[2], on_lines = found[5]
        cdef float[::1] x = np.zeros(self.cells.cols, np.float32), old = np.zeros(rows, np.float32)
        cdef uint32_t[::1] on_rows = np.zeros(rows, np.uint32), on_cols = np.zeros(self.cells.cols, np.uint32)
        self._set_scheme(&job, negative_rate, scheme, resolution, stochastic_rounding, "both")
        self._set_probe(&job.probe, None)
        job.n = 1
        job.threads = threads
        job.x = &x[0]
        out.row_fires = &on_rows[0]
        out.col_fires = &on_cols[0]
        for k in range(n):
            col = columns[k]
            if not 0 <= col < self.cells.cols:
                raise ValueError("no such column")
            x[col] = 1
            job.d = &d[k, 0]
            job.bl = &bl[k]
            job.col_gain = &col_gain[k]
            job.row_gain = &row_gain[k]
            job.first_ordinal = first_ordinal + k
            out.up = &up[k]
            out.down = &down[k]
            out.weight = &weight[k]
            with nogil:
                for row in range(rows):
                    old[row] = seen[row * stride + col]
                    on_rows[row] = 0
                on_cols[col] = 0
                self.updater.run(self.cells, job, &out)
                col_fires[k] = on_cols[col]
                on_lines[k] = <double>on_cols[col] * col_sums[col]
                for row in range(rows):
                    row_fires[k] += on_rows[row]
                    on_lines[k] += <double>on_rows[row] * row_sums[row]
                    change = <double>seen[row * stride + col] - <double>old[row]
                    row_sums[row] += change
                    col_sums[col] += change
            x[col] = 0
        return found

    def pulse(self, const int32_t[:, ::1] polarity, tuple probe, int threads):
        """Give each device one pulse of its ``polarity`` (rows, stride; -1, 0 or +1). Returns (up, down, weight, log)."""
        cdef UpdateOutput out
        cdef LogRoom *room = &LogRoom.of_this_thread()
        cdef Probe region
        cdef int64_t up = 0, down = 0
        cdef double weight = 0
        if polarity.shape[0] != self.cells.rows or polarity.shape[1] != self.cells.stride:
            raise ValueError("polarity must have the padded shape of the weights")
        out.up = &up
        out.down = &down
        out.weight = &weight
        self._set_probe(&region, probe)
        room.clear()
        if probe is not None:
            out.log = &room.log
        with nogil:
            run_polarity(self.cells, &polarity[0, 0], region, threads, &out)
        log = None if probe is None else _log_arrays(room.log)
        room.clear()
        return up, down, weight, log

    def apply_write_noise(self):
        """Redraw the apparent weight of every device."""
        with nogil:
            run_write_noise(self.cells)
