export function showSystem(page) { page.root.append('system'); }
