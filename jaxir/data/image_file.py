"""PLACEHOLDER until the real image_file.py lands."""
import numpy as np
class ImageFileError(ValueError): pass
def read_image(path):
    from PIL import Image
    a=np.asarray(Image.open(path).convert("RGB"),np.float32)/127.5-1
    return a
def write_image(path,image,*,overwrite=False):
    from PIL import Image
    Image.fromarray(np.round((np.clip(image,-1,1)+1)*127.5).astype(np.uint8)).save(path)
def image_files(folder): return sorted(p for p in folder.rglob("*") if p.suffix in (".jpg",".png"))
