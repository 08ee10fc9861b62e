/**
 * Which replica is whose home: rendezvous hashing. Every gateway finds the same order without being told, the keys spread evenly,
 * and when a replica comes or goes only the keys move that it gains or had. Pure.
 */

/** The addresses, the home of `key` first. */
export function byRendezvous(addresses: readonly string[], key: string): string[] {
  const scored = addresses.map((address) => ({ address, score: hash32(`${address} ${key}`) }));
  scored.sort((a, b) => b.score - a.score || (a.address < b.address ? -1 : 1));
  return scored.map(({ address }) => address);
}

/** FNV-1a, with the last step of MurmurHash3 behind it: FNV alone hardly changes the upper bits for the last characters. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
