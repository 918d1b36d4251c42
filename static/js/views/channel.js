export function showChannel(page) { page.root.append('channel'); }
