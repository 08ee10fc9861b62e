/** The certificate and the key that the server shows, checked before they are used. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/** Throws, in words for the operator, when the two cannot be used together. */
export function checkedKeyPair(cert: Buffer, key: Buffer): SecureContextOptions {
  const certificate = parsed(
    () => new X509Certificate(cert),
    'the certificate file holds no PEM certificate',
  );
  const privateKey: KeyObject = parsed(
    () => createPrivateKey(key),
    'the key file holds no PEM private key without passphrase',
  );
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key does not belong to the certificate');
  return { cert, key, minVersion: 'TLSv1.2' };
}

function parsed<T>(parse: () => T, words: string): T {
  try {
    return parse();
  } catch {
    throw new Error(words);
  }
}
