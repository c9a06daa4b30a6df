from ctypes import Structure

from pypdfium2 import PdfBitmap, PdfPage

FPDF_ERR_PASSWORD: int
FPDF_GRAYSCALE: int
FPDFBitmap_Gray: int

class FS_MATRIX(Structure):
    def __init__(self, a: float, b: float, c: float, d: float, e: float, f: float) -> None: ...

def FPDF_RenderPageBitmap(
    bitmap: PdfBitmap,
    page: PdfPage,
    start_x: int,
    start_y: int,
    size_x: int,
    size_y: int,
    rotate: int,
    flags: int,
) -> None: ...
