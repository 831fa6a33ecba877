/** Where memory ends. */
import type { TestContext } from 'node:test';

/** There is none for the bytes of this string, as long as the test runs. */
export function limitMemory(t: TestContext, huge: string): void {
  const original = Buffer.from.bind(Buffer);
  t.mock.method(Buffer, 'from', (value: string, encoding: BufferEncoding) => {
    if (value === huge) throw new RangeError('Array buffer allocation failed');
    return original(value, encoding);
  });
}
