import { request } from './spec';

/** Forgets every computed prompt, on the device, in memory and on disk: they hold source text. */
export const PurgePrefixCache = request<Record<string, never>, { bytes: number }>('longview/cache/purge');
