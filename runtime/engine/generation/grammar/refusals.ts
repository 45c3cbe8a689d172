// Owns what is said of a schema that no grammar is made of: one that is wrong, which nobody could keep to, apart from
// one that this grammar has no words for, which a model elsewhere may be able to keep to.
import { NearfieldError } from '../../../errors.ts';

/** The schema itself is at fault. @throws invalid-request */
export function refuse(at: string, problem: string): never {
  throw new NearfieldError('invalid-request', `${at}: ${problem}.`, { param: at });
}

/** This grammar can not; another tier may. @throws invalid-request, told as such */
export function unsupported(at: string, problem: string): never {
  throw new NearfieldError('invalid-request', `${at}: ${problem}.`, { param: at, elsewhere: true });
}
