// The constants of SHA-2 (FIPS 180-4, 4.2 and 5.3), computed from the primes that define them.

/** The first `count` primes, as BigInt. */
function primes(count) {
  const found = [];
  for (let n = 2n; found.length < count; n++) {
    if (found.every((prime) => n % prime !== 0n)) found.push(n);
  }
  return found;
}

/** The largest BigInt whose `power`-th power is not above n. */
function integerRoot(n, power) {
  let low = 0n, high = 1n << BigInt(Math.ceil(n.toString(2).length / power) + 1);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(power) <= n) low = middle;
    else high = middle;
  }
  return low;
}

/** The first 64 bits of the fraction of a prime's root, as [upper, lower] 32-bit integers. */
function fraction(prime, power) {
  const scaled = integerRoot(prime << BigInt(64 * power), power);
  return [Number((scaled >> 32n) & 0xffffffffn) | 0, Number(scaled & 0xffffffffn) | 0];
}

export const CUBE_ROOTS = primes(80).map((prime) => fraction(prime, 3));
export const SQUARE_ROOTS = primes(8).map((prime) => fraction(prime, 2));
