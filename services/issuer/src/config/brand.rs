use std::path::{Path, PathBuf};

use super::Reader;
use crate::{
    declared::Table,
    pages::{Brand, Logo},
};

impl Reader<'_, '_> {
    /// Reads `[brand]`: whose pages people see. The logo's file is read with it, so that a bad one is a mistake among
    /// the others and not a page without its picture.
    pub(super) fn brand(&self, root: &Table<'_, '_>, data_dir: &Path) -> Brand {
        let table = root.table("brand");
        let usual = Brand::default();
        let declared = table.parsed("name");
        let name = self.variable(&table, "name").or(declared).unwrap_or(usual.name);
        let declared = table.parsed("color");
        let colour = self.variable(&table, "color").or(declared).unwrap_or(usual.colour);
        let declared: Option<PathBuf> = table.parsed("logo");
        let logo = self.variable(&table, "logo").or(declared).and_then(|path: PathBuf| {
            let note = |problem| {
                let message = format!("`brand.logo` = {}: {problem}", path.display());
                self.document.note(table.line_of("logo"), message);
            };
            Logo::read(&data_dir.join(&path)).map_err(note).ok()
        });
        table.finish();
        Brand { name, colour, logo }
    }
}
