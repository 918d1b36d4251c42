export function showChannels(page) { page.root.append('channels'); }
