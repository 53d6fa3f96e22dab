package org.tfminilm.demo

/** How far the adding of a model is. */
sealed class ImportState {
    object Idle : ImportState()

    /** @property share from 0 to 1; null where nobody knows how much there is. */
    class Running(val name: String?, val share: Double?) : ImportState()

    /** There is one of this name: to be replaced, or to be kept beside the new one? */
    class Asking(val name: String) : ImportState()

    class Failed(val message: String) : ImportState()

    class Done(val name: String) : ImportState()
}
