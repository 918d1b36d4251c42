export function showRejections(page) { page.root.append('rejections'); }
