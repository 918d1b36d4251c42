export function showRejection(page) { page.root.append('rejection'); }
