export function showEvent(page) { page.root.append('event'); }
