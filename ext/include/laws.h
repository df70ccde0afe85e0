// The device laws: what one pulse does to the weight. A law is a struct with
//   PLANES                      parameter planes per device, in the order of its load();
//   TOGETHER                    blocks whose pulses are interleaved, more where one pulse waits long for the one before;
//   Law(scalars)                parameters that all devices share;
//   draws()                     whether a pulse takes a normal;
//   load(p, stride, up)         the parameters of LANES devices; `up` marks the lanes that receive up pulses;
//   step(w, cell, z)            the weights after one pulse with the normals z.
// Steps are signed: a down pulse has negative planes, so the same formula serves both directions.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

HWSIM_INLINE V clip(V w, V low, V high) { return minimum(maximum(w, low), high); }

HWSIM_INLINE V load_signed(const float *p, std::ptrdiff_t stride, int plane_up, int plane_down, Mask up) {
    return select(up, load<V>(p + plane_up * stride), load<V>(p + plane_down * stride));
}

// w += o (1 + sigma z)
struct ConstantLaw {
    static constexpr int PLANES = 4;  // o up, o down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V o, low, high; };
    float sigma;
    explicit ConstantLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 1, up), hwsim::HWSIM_NAMESPACE::load<V>(p + 2 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 3 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const { return clip(w + c.o * (z * sigma + 1.0f), c.low, c.high); }
};

// w += (k w + o)(1 + sigma z)
struct AffineLaw {
    static constexpr int PLANES = 6;  // k up, o up, k down, o down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V k, o, low, high; };
    float sigma;
    explicit AffineLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 2, up), load_signed(p, n, 1, 3, up), hwsim::HWSIM_NAMESPACE::load<V>(p + 4 * n),
                hwsim::HWSIM_NAMESPACE::load<V>(p + 5 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        // Factors first: they do not wait for w, so the chain from pulse to pulse stays short.
        V factor = z * sigma + 1.0f;
        return clip(w + ((c.k * factor) * w + c.o * factor), c.low, c.high);
    }
};

// w += k w + o + s sigma z
struct AdditiveLaw {
    static constexpr int PLANES = 8;  // k up, o up, s up, k down, o down, s down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V k, o, s, low, high; };
    float sigma;
    explicit AdditiveLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 3, up), load_signed(p, n, 1, 4, up), load_signed(p, n, 2, 5, up),
                hwsim::HWSIM_NAMESPACE::load<V>(p + 6 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 7 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        return clip(w + (c.k * w + (c.o + c.s * (z * sigma))), c.low, c.high);
    }
};

// d = s max(1 - a 2^(p w + r), 0);  w += d (1 + sigma z)   or   w += d + sigma (|d| + add + slope |w|) z
// A device with s = 0 does not move.
struct ExponentialLaw {
    static constexpr int PLANES = 5;  // s up, s down, q, lower bound, upper bound; p = g q / ln 2, r = g b / ln 2
    static constexpr int TOGETHER = 2;
    struct Cell { V s, a, p, r, low, high; };
    float a_up, a_down, g_up, g_down, b, sigma, add, slope;
    explicit ExponentialLaw(const float *s)
        : a_up(s[0]), a_down(s[1]), g_up(s[2]), g_down(s[3]), b(s[4]), sigma(s[5]), add(s[6]), slope(s[7]) {}
    bool draws() const { return sigma > 0; }
    __attribute__((always_inline)) Cell load(const float *p, std::ptrdiff_t n, Mask up) const {
        const V g = select(up, splat(g_up), splat(-g_down)) * 1.4426950408889634f;
        return {load_signed(p, n, 0, 1, up), select(up, splat(a_up), splat(a_down)), g * hwsim::HWSIM_NAMESPACE::load<V>(p + 2 * n), g * b,
                hwsim::HWSIM_NAMESPACE::load<V>(p + 3 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 4 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        const V fall = maximum(splat(1.0f) - c.a * power_of_two(c.p * w + c.r), V{});
        if (add == 0 && slope == 0) return clip(w + (c.s * (z * sigma + 1.0f)) * fall, c.low, c.high);
        const V d = c.s * fall, size = maximum(d, -d);
        const V noise = (size + add + maximum(w, -w) * slope) * (z * sigma);
        const V moved = clip(w + (d + noise), c.low, c.high);
        return select(less(V{}, maximum(c.s, -c.s)), moved, w);
    }
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
