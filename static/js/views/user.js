export function showUser(page) { page.root.append('user'); }
